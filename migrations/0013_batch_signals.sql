-- A batch may bring the sagas a signal.
alter table sagad.operator_batch
    add column name    text,                -- of the signal
    add column payload text;                -- of the signal; null: null
