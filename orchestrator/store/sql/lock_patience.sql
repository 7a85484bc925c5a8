-- Until the end of this round: rather try again later than let others queue behind a lock.
select set_config('lock_timeout', '25ms', true);
