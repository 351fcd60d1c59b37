-- Deletes a task that does not run from one state of its queue. The twin of a unique task in another state
-- stays.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  queue
--       3  id
--       4  state: queued, scheduled or error
--       5  1 if the task is unique
-- Answers 1, or 0 where the task is not in that state.
local queue, id, state, unique = ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
if redis.call('ZREM', in_state(state, queue), id) == 0 then
    return 0
end
forget_if_empty(state, queue)
remove(queue, id, unique)
return 1
