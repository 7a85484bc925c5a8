-- $1 statement timeout, $2 lock timeout (ms, as text): settings of the whole session.
-- Statements reach their rows by key whatever the statistics say: nested loops over indexes, and
-- one plan kept for all parameters. A client that vanished is noticed within seconds.
select set_config(v.name, v.value, false)
  from (values ('statement_timeout', $1::text),
               ('lock_timeout', $2::text),
               ('idle_in_transaction_session_timeout', '10s'),
               ('default_transaction_isolation', 'read committed'),
               ('synchronous_commit', case when current_setting('synchronous_commit') in ('off', 'local')
                                           then 'on' else current_setting('synchronous_commit') end),
               ('search_path', ''),
               ('TimeZone', 'UTC'),
               ('client_min_messages', 'warning'),
               ('plan_cache_mode', 'force_generic_plan'),
               ('jit', 'off'),
               ('enable_seqscan', 'off'),
               ('enable_hashjoin', 'off'),
               ('enable_mergejoin', 'off'),
               ('enable_material', 'off'),
               ('enable_bitmapscan', 'off'),
               ('enable_memoize', 'off'),
               ('tcp_keepalives_idle', '5'),
               ('tcp_keepalives_interval', '2'),
               ('tcp_keepalives_count', '3'),
               ('tcp_user_timeout', '10s')) as v(name, value)
 where current_setting(v.name, true) is not null; -- older servers do not have all of them
