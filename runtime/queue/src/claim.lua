-- Claims tasks from several queues: moves them from `queued` to `active` under the worker's lease.
--
-- Each queue gives its share first, then those that still have work fill what is left. A task that is active
-- already (a unique one, queued again while it runs) goes to `scheduled` instead. One whose payload is gone
-- is dropped.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker
--       3  now: the score of the lease
--       4  when a task that is still active is due again
--       5  how many tasks at most
--       6  how many of one queue in the first round
--       7- queues
-- Answers, for each queue that was asked: its name, 1 if it has more, and a list of id, payload (nil where
-- it is gone), count of executions (nil for 0).
local worker, now, due_again = ARGV[2], ARGV[3], ARGV[4]
local left, share = tonumber(ARGV[5]), tonumber(ARGV[6])

local function take(queue, n, taken)
    local popped = redis.call('ZPOPMIN', in_state('queued', queue), n)
    if #popped == 0 then
        redis.call('SREM', prefix .. ':queued', queue)
        return 0, false
    end
    local ids, wanted = {}, {}
    for i = 1, #popped, 2 do
        local id = popped[i]
        ids[#ids + 1] = id
        wanted[#wanted + 1] = payload_of(id)
        wanted[#wanted + 1] = executions_count_of(id)
    end
    local active = redis.call('ZMSCORE', in_state('active', queue), unpack(ids))
    local found = redis.call('MGET', unpack(wanted))
    local leases, claims = {}, {}
    for i, id in ipairs(ids) do
        local payload = found[2 * i - 1]
        if active[i] then
            local scheduled = in_state('scheduled', queue)
            redis.call('ZADD', scheduled, 'LT', due_again, id)
            redis.call('SADD', prefix .. ':scheduled', queue)
            announce_due(queue, due_again)
        else
            if payload then
                leases[#leases + 1] = now
                leases[#leases + 1] = id
                claims[#claims + 1] = now
                claims[#claims + 1] = queue .. ':' .. id
            end
            taken[#taken + 1] = id
            taken[#taken + 1] = payload
            taken[#taken + 1] = found[2 * i]
        end
    end
    if #claims > 0 then
        redis.call('ZADD', in_state('active', queue), unpack(leases))
        redis.call('SADD', prefix .. ':active', queue)
        redis.call('ZADD', claims_of(worker), unpack(claims))
        redis.call('SADD', prefix .. ':workers', worker)
    end
    local more = redis.call('EXISTS', in_state('queued', queue)) == 1
    if not more then
        redis.call('SREM', prefix .. ':queued', queue)
    end
    return #ids, more
end

local answer, hungry = {}, {}
for i = 7, #ARGV do
    if left <= 0 then
        break
    end
    local queue, taken = ARGV[i], {}
    local n, more = take(queue, math.min(share, left), taken)
    left = left - n
    answer[#answer + 1] = { queue, more and 1 or 0, taken }
    if more then
        hungry[#hungry + 1] = #answer
    end
end
for _, place in ipairs(hungry) do
    if left <= 0 then
        break
    end
    local queue, taken = answer[place][1], answer[place][3]
    local n, more = take(queue, left, taken)
    left = left - n
    answer[place][2] = more and 1 or 0
end
return answer
