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

-- What is asked of all queues at once: mostly none of them has seats, and of many queues few have active tasks.
local seat_sets, active_sets = {}, {}
for at = 9, #ARGV, 3 do
    seat_sets[#seat_sets + 1] = seats_of(ARGV[at])
    active_sets[#active_sets + 1] = in_state('active', ARGV[at])
end
local some_have_seats = redis.call('EXISTS', unpack(seat_sets)) > 0
local some_are_active = redis.call('EXISTS', unpack(active_sets)) > 0

-- How many batches the queue admits.
local function admitted(queue, seats)
    if some_have_seats then
        local closed = redis.call('ZSCORE', seats_of(queue), 'SYSTEM_LOCK')
        if closed and tonumber(closed) > tonumber(now) then
            return 0
        end
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

-- What was popped and is to be held, queue by queue; and the queues that were emptied.
local popped, emptied = {}, {}

local function take(queue, n, source)
    local members = redis.call('ZPOPMIN', in_state('queued', queue), n)
    local count = #members / 2
    -- A queue that gave less than it was asked for has no more.
    local more = count == n and redis.call('EXISTS', in_state('queued', queue)) == 1
    if not more then
        emptied[#emptied + 1] = queue
    end
    if count == 0 then
        return 0, false
    end
    local ids, free = {}, {}
    for i = 1, #members, 2 do
        ids[#ids + 1] = members[i]
    end
    if some_are_active then
        local active = redis.call('ZMSCORE', in_state('active', queue), unpack(ids))
        for i, id in ipairs(ids) do
            if active[i] then
                redis.call('ZADD', in_state('scheduled', queue), 'LT', due_again, id)
                redis.call('SADD', prefix .. ':scheduled', queue)
                announce_due(queue, due_again)
            else
                free[#free + 1] = id
            end
        end
    else
        free = ids
    end
    if #free > 0 then
        popped[#popped + 1] = { source, free }
    end
    return count, more
end

-- Everything that was popped comes under the lease: what is asked of many queues at once costs one call.
local function hold()
    if #emptied > 0 then
        redis.call('SREM', prefix .. ':queued', unpack(emptied))
    end
    local wanted = {}
    for _, one in ipairs(popped) do
        for _, id in ipairs(one[2]) do
            wanted[#wanted + 1] = payload_of(id)
            wanted[#wanted + 1] = executions_count_of(id)
        end
    end
    if #wanted == 0 then
        return
    end
    local found, at = redis.call('MGET', unpack(wanted)), 1
    local claims, queues = {}, {}
    for _, one in ipairs(popped) do
        local source, leases = one[1], {}
        local queue, taken = source.queue, source.taken
        for _, id in ipairs(one[2]) do
            local payload = found[at]
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
            taken[#taken + 1] = found[at + 1]
            at = at + 2
        end
        if #leases > 0 then
            redis.call('ZADD', in_state('active', queue), unpack(leases))
            queues[#queues + 1] = queue
            if source.seats > 0 then
                sit_down(queue, leases, source.batch)
            end
        end
    end
    if #claims > 0 then
        redis.call('SADD', prefix .. ':active', unpack(queues))
        redis.call('ZADD', claims_of(worker), unpack(claims))
        redis.call('SADD', prefix .. ':workers', worker)
    end
end

local answer, hungry = {}, {}

-- Takes up to so many batches, and answers whether there are more.
local function take_batches(batches, source)
    local n = math.min(batches * source.batch, tasks_left)
    if n <= 0 then
        return false
    end
    local count, more = take(source.queue, n, source)
    left = left - math.ceil(count / source.batch)
    tasks_left = tasks_left - count
    return more
end

for at = 9, #ARGV, 3 do
    if left <= 0 or tasks_left <= 0 then
        break
    end
    local source = { queue = ARGV[at], seats = tonumber(ARGV[at + 1]), batch = tonumber(ARGV[at + 2]), taken = {} }
    local more = take_batches(math.min(share, left, admitted(source.queue, source.seats)), source)
    answer[#answer + 1] = { source.queue, more and 1 or 0, source.taken }
    -- Seats are counted from the first task of the answer, so a queue that has some gives only once.
    if more and source.seats == 0 then
        hungry[#hungry + 1] = { #answer, source }
    end
end
for _, one in ipairs(hungry) do
    if left <= 0 or tasks_left <= 0 then
        break
    end
    local more = take_batches(left, one[2])
    answer[one[1]][2] = more and 1 or 0
end
hold()
return answer
