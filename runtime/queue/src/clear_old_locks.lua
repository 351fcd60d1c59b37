-- Deletes locks of TaskTiger's up to 0.12, each only if its value is still the one that was read: a lock that
-- was taken or renewed since then stays.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- key, value; any number of times
-- Answers how many were deleted, and how many have another value by now. What is gone is neither.
local deleted, changed = 0, 0
for at = 2, #ARGV, 2 do
    local key, value = ARGV[at], ARGV[at + 1]
    local found = redis.call('GET', key)
    if found == value then
        redis.call('DEL', key)
        deleted = deleted + 1
    elseif found then
        changed = changed + 1
    end
end
return { deleted, changed }
