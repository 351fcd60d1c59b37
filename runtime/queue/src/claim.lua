-- Claims tasks from several queues: moves them from `queued` to `active` under the worker's lease.
--
-- A worker has room for so many batches; a batch is as many tasks of a queue as the queue says, and one where it
-- says nothing. Each queue gives its share first, then those that still have work fill what is left. A task that is
-- active already (a unique one, queued again while it runs) goes to `scheduled` instead. One whose payload is gone
-- is dropped, with its executions. A queue that the system has closed gives nothing; one with a limit gives only what
-- has a seat: one seat for each batch, in the order of the answer, under the name `<worker>:<id of its first task>`.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker
--       3  now: the score of the lease
--       4  when a task that is still active is due again
--       5  how many batches at most
--       6  how many of one queue in the first round
--       7  how many tasks at most
--       8  seconds for which a seat holds unless it is renewed
--       9- queue, its number of seats (0 for no limit), how many tasks make up a batch; any number of times
-- Answers, for each queue that was asked: its name, 1 if it has more that can be had, and a list of id, payload
-- (nil where it is gone), count of executions (nil for 0).
local worker, now, due_again = ARGV[2], ARGV[3], ARGV[4]
local left, share, tasks_left, seat_s = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

-- How many batches the queue admits.
local function admitted(queue, seats)
    local closed = redis.call('ZSCORE', seats_of(queue), 'SYSTEM_LOCK')
    if closed and tonumber(closed) > tonumber(now) then
        return 0
    end
    if seats == 0 then
        return left
    end
    redis.call('ZREMRANGEBYSCORE', seats_of(queue), '-inf', now)
    return math.max(0, seats - redis.call('ZCARD', seats_of(queue)))
end

local function sit_down(queue, leases, batch)
    local until_then = now + seat_s
    for i = 2, #leases, 2 * batch do
        redis.call('ZADD', seats_of(queue), until_then, worker .. ':' .. leases[i])
    end
    keep_seats(queue, 2000 * seat_s)
end

local function take(queue, n, taken)
    local popped = redis.call('ZPOPMIN', in_state('queued', queue), n)
    if #popped == 0 then
        redis.call('SREM', prefix .. ':queued', queue)
        return 0, false, {}
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
            else
                remove(queue, id, true)
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
    return #ids, more, leases
end

local answer, hungry = {}, {}

-- Takes up to so many batches, and answers what of them it became.
local function take_batches(batches, queue, seats, batch, taken)
    local n = math.min(batches * batch, tasks_left)
    if n <= 0 then
        return false
    end
    local count, more, leases = take(queue, n, taken)
    left = left - math.ceil(count / batch)
    tasks_left = tasks_left - count
    if seats > 0 and #leases > 0 then
        sit_down(queue, leases, batch)
    end
    return more
end

for at = 9, #ARGV, 3 do
    if left <= 0 or tasks_left <= 0 then
        break
    end
    local queue, seats, batch, taken = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), {}
    local batches = math.min(share, left, admitted(queue, seats))
    local more = take_batches(batches, queue, seats, batch, taken)
    answer[#answer + 1] = { queue, more and 1 or 0, taken }
    -- Seats are counted from the first task of the answer, so a queue that has some gives only once.
    if more and seats == 0 then
        hungry[#hungry + 1] = { #answer, batch }
    end
end
for _, one in ipairs(hungry) do
    local place, batch = one[1], one[2]
    if left <= 0 or tasks_left <= 0 then
        break
    end
    local more = take_batches(left, answer[place][1], 0, batch, answer[place][3])
    answer[place][2] = more and 1 or 0
end
return answer
