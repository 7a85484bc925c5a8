-- The newest migration that was applied; 0: none.
select coalesce(max(version), 0)::int from sagad.schema_version;
