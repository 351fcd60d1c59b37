-- Puts a failed task back into its queue. Its executions and their count stay.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  queue
--       3  id
--       4  now
--       5  the payload to store, where it has changed; a twin that waits keeps its own
-- Answers 1, or 0 where the task is not in `error`.
local queue, id, now, payload = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('ZREM', in_state('error', queue), id) == 0 then
    return 0
end
forget_if_empty('error', queue)
local waits = redis.call('ZSCORE', in_state('queued', queue), id) or redis.call('ZSCORE', in_state('scheduled', queue), id)
if payload ~= '' and not waits then
    redis.call('SET', payload_of(id), payload)
end
redis.call('ZADD', in_state('queued', queue), now, id)
redis.call('SADD', prefix .. ':queued', queue)
announce(queue)
return 1
