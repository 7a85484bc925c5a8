-- Where migrations are written down. An administrator may have made the schema already.
do $$
begin
    if to_regnamespace('sagad') is null then
        create schema sagad;
    end if;
    if to_regclass('sagad.schema_version') is null then
        create table sagad.schema_version (
            version    int primary key,
            name       text not null,
            checksum   bytea not null,       -- SHA-256 of the script
            applied_at timestamptz not null default now()
        );
    end if;
end $$;
