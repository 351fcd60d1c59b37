-- Deletes tasks that do not run, each from one state of its queue, where it still is as it was found. The
-- twin of a unique task in another state stays, with the payload.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- state (queued, scheduled or error), queue, id, the score it was found with; any number of times
-- Answers how many tasks were deleted.
local deleted = 0
for at = 2, #ARGV, 4 do
    local state, queue, id, found = unpack(ARGV, at, at + 3)
    local score = redis.call('ZSCORE', in_state(state, queue), id)
    if score and tonumber(score) == tonumber(found) then
        redis.call('ZREM', in_state(state, queue), id)
        forget_if_empty(state, queue)
        -- Any task may be a unique one: its payload goes only where it is in no other state.
        remove(queue, id, true)
        deleted = deleted + 1
    end
end
return deleted
