-- Settings of the session that migrates: names are qualified, and it waits a minute for its turn.
select set_config(v.name, v.value, false)
  from (values ('search_path', ''),
               ('client_min_messages', 'warning'),
               ('statement_timeout', '0'),
               ('lock_timeout', '60s'),
               ('TimeZone', 'UTC')) as v(name, value);
