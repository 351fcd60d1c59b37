-- Enqueues tasks, each into `queued`, or into `scheduled` where it is due later: all of them, or, where a queue
-- has no room for its own, none.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2- runs of tasks for one place: state, queue, how many the queue may have (empty for any number), n,
--          then n times: id, payload, score
-- Answers how many of the tasks were not in their place before; or the queue that is full, its size and its limit.
local function each_run(visit)
    local at = 2
    while at <= #ARGV do
        local n, ids = tonumber(ARGV[at + 3]), {}
        for i = 1, n do
            ids[i] = ARGV[at + 1 + 3 * i]
        end
        local full = visit(ARGV[at], ARGV[at + 1], ARGV[at + 2], ids, at + 4)
        if full then
            return full
        end
        at = at + 4 + 3 * n
    end
end

local is_limited = each_run(function(_, _, most)
    return most ~= ''
end)
if is_limited then
    local full = each_run(function(state, queue, most, ids)
        if not room.is_enough(state, queue, most, ids) then
            return { queue, size_of(queue), most }
        end
    end)
    if full then
        return full
    end
end

local added = 0
each_run(function(state, queue, _, ids, first)
    local payloads, members = {}, {}
    local first_due = ARGV[first + 2]
    for i, id in ipairs(ids) do
        local payload, score = ARGV[first + 3 * i - 2], ARGV[first + 3 * i - 1]
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
end)
return added
