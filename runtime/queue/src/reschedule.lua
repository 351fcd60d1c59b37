-- Changes when a scheduled task is due, and its payload with it, unless that is another by now.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  queue
--       3  id
--       4  when it is due
--       5  the payload as it was read
--       6  the payload to store; empty where it could not be read: then only the time changes
-- Answers `done`, `gone` where the task is not scheduled, or `changed` where its payload is another.
local queue, id, due, read, payload = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if not redis.call('ZSCORE', in_state('scheduled', queue), id) then
    return 'gone'
end
if payload ~= '' then
    if redis.call('GET', payload_of(id)) ~= read then
        return 'changed'
    end
    redis.call('SET', payload_of(id), payload)
end
redis.call('ZADD', in_state('scheduled', queue), 'XX', due, id)
announce_due(queue, due)
return 'done'
