-- Enqueues tasks, each into `queued`, or into `scheduled` where it is due later.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- runs of tasks for one place: state, queue, n, then n times: id, payload, score
-- Answers how many of the tasks were not in their place before.
local added = 0
local at = 2
while at <= #ARGV do
    local state, queue, n = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    local payloads, members = {}, {}
    local first_due = ARGV[at + 5]
    for i = 1, n do
        local id, payload, score = ARGV[at + 3 * i], ARGV[at + 3 * i + 1], ARGV[at + 3 * i + 2]
        payloads[2 * i - 1], payloads[2 * i] = payload_of(id), payload
        members[2 * i - 1], members[2 * i] = score, id
        if tonumber(score) < tonumber(first_due) then
            first_due = score
        end
    end
    redis.call('MSET', unpack(payloads))
    added = added + redis.call('ZADD', in_state(state, queue), 'NX', unpack(members))
    redis.call('SADD', prefix .. ':' .. state, queue)
    if state == 'queued' then
        announce(queue)
    else
        announce_due(queue, first_due)
    end
    at = at + 3 + 3 * n
end
return added
