-- Brings the planned run of a periodic task to its new time, or takes it back where it has none any more. A task
-- that is queued or runs is left alone, and so is one that waits for a retry.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- queue, id, payload, due (empty for never); any number of times
-- Answers how many were changed.
local changed = 0
for at = 2, #ARGV, 4 do
    local queue, id, payload, due = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local known = redis.call('ZSCORE', in_state('scheduled', queue), id)
    if known and due == '' then
        redis.call('ZREM', in_state('scheduled', queue), id)
        forget_if_empty('scheduled', queue)
        remove(queue, id, true)
        changed = changed + 1
    elseif known and tonumber(known) ~= tonumber(due) and redis.call('EXISTS', executions_count_of(id)) == 0 then
        redis.call('SET', payload_of(id), payload)
        redis.call('ZADD', in_state('scheduled', queue), due, id)
        announce_due(queue, due)
        changed = changed + 1
    end
end
return changed
