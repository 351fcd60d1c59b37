-- Applies verdicts to tasks whose lease still holds, together with the effects of their runs.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  incarnation of the worker that claimed the tasks
--       3  now
--       4- sections of two shapes:
--          the plain case, a success that leaves nothing behind:
--            "done", queue, n, then n times: id, lease
--          the locks under which such tasks ran:
--            "free", n, then n times: lock, token
--          any other:
--            "task", queue, id, lease, unique, verb, due, payload, execution, kept executions, result,
--            milliseconds to keep it, lock, token, seat, n, then n times a follow-up: state, queue, how many
--            that may have, id, payload, score
--          Empty fields are empty strings. Verbs: done, forget, retry, error, requeue, defer, leave.
-- Answers for each task, in order, 1 where it is settled, 0 where its lease was lost, and 2 where nothing was done
-- because a follow-up's queue has no room for it. Locks and seats are given back unless the answer is 2.
local worker, now = ARGV[2], ARGV[3]
local answer = {}

-- What plain successes leave, until it goes in a few calls for all of them: before anything else is written.
local queues, sets, claims, gone = {}, {}, {}, {}

local function settle_done(at)
    local queue, n = ARGV[at + 1], tonumber(ARGV[at + 2])
    local ids = {}
    for i = 1, n do
        ids[i] = ARGV[at + 1 + 2 * i]
    end
    local scores = redis.call('ZMSCORE', in_state('active', queue), unpack(ids))
    local held = {}
    for i, id in ipairs(ids) do
        if scores[i] and tonumber(scores[i]) == tonumber(ARGV[at + 2 + 2 * i]) then
            held[#held + 1] = id
            gone[#gone + 1] = payload_of(id)
            gone[#gone + 1] = executions_of(id)
            gone[#gone + 1] = executions_count_of(id)
            claims[#claims + 1] = queue .. ':' .. id
            answer[#answer + 1] = 1
        else
            drop_claim(worker, queue .. ':' .. id, ARGV[at + 2 + 2 * i])
            answer[#answer + 1] = 0
        end
    end
    if #held > 0 then
        redis.call('ZREM', in_state('active', queue), unpack(held))
        queues[#queues + 1] = queue
        sets[#sets + 1] = in_state('active', queue)
    end
    return at + 3 + 2 * n
end

local function forget_done()
    if #claims == 0 then
        return
    end
    redis.call('ZREM', claims_of(worker), unpack(claims))
    redis.call('DEL', unpack(gone))
    -- Of many small queues mostly all are empty now.
    if redis.call('EXISTS', unpack(sets)) == 0 then
        redis.call('SREM', prefix .. ':active', unpack(queues))
    else
        for _, queue in ipairs(queues) do
            forget_if_empty('active', queue)
        end
    end
    queues, sets, claims, gone = {}, {}, {}, {}
end

local function free(at)
    local n = tonumber(ARGV[at + 1])
    unlock_all(at + 2, at + 1 + 2 * n, now)
    return at + 2 + 2 * n
end

local function record(id, execution, kept)
    redis.call('RPUSH', executions_of(id), execution)
    redis.call('INCR', executions_count_of(id))
    if kept > 0 then
        redis.call('LTRIM', executions_of(id), -kept, -1)
    end
end

local function place(queue, id, state, score, how)
    if how then
        redis.call('ZADD', in_state(state, queue), how, score, id)
    else
        redis.call('ZADD', in_state(state, queue), score, id)
    end
    redis.call('SADD', prefix .. ':' .. state, queue)
end

local function is_waiting(queue, id)
    return redis.call('ZSCORE', in_state('queued', queue), id)
        or redis.call('ZSCORE', in_state('scheduled', queue), id)
end

local function requeue(queue, id, payload, due)
    -- A unique task that waits again has its producer's newest payload: leave that.
    if payload ~= '' and not is_waiting(queue, id) then
        redis.call('SET', payload_of(id), payload)
    end
    if due ~= '' then
        place(queue, id, 'scheduled', due, 'LT')
        announce_due(queue, due)
    else
        place(queue, id, 'queued', now, 'NX')
        announce(queue)
    end
end

local FOLLOW_UP = 6

-- Whether every follow-up fits its queue, as Redis knows it before this settlement.
local function follow_ups_fit(first, last)
    local is_limited = false
    for at = first, last, FOLLOW_UP do
        is_limited = is_limited or ARGV[at + 2] ~= ''
    end
    room.seen, room.taken = {}, {}
    for at = first, is_limited and last or 0, FOLLOW_UP do
        local state, queue, most, id = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
        if not room.is_enough(state, queue, most, { id }) then
            return false
        end
    end
    return true
end

local function enqueue_follow_ups(first, last)
    for at = first, last, FOLLOW_UP do
        local state, queue, score = ARGV[at], ARGV[at + 1], ARGV[at + 5]
        put(state, queue, ARGV[at + 3], ARGV[at + 4], score)
        if state == 'queued' then
            announce(queue)
        else
            announce_due(queue, score)
        end
    end
end

local function apply(verb, queue, id, unique, due, payload)
    if verb == 'retry' then
        -- A unique task may be scheduled already; whichever time is first counts for both.
        place(queue, id, 'scheduled', due, unique and 'LT' or nil)
        announce_due(queue, due)
    elseif verb == 'defer' then
        place(queue, id, 'scheduled', due, 'LT')
        announce_due(queue, due)
    elseif verb == 'requeue' then
        requeue(queue, id, payload, due)
    elseif verb == 'leave' then
        place(queue, id, 'queued', due, 'NX')
        announce(queue)
    elseif verb == 'error' then
        place(queue, id, 'error', now)
    else
        remove(queue, id, unique)
    end
end

local function settle_task(at)
    local queue, id, lease, unique = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4] == '1'
    local verb, due, payload = ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
    local execution, kept = ARGV[at + 8], tonumber(ARGV[at + 9])
    local result, result_ms = ARGV[at + 10], ARGV[at + 11]
    local lock, token, seat, follow_ups = ARGV[at + 12], ARGV[at + 13], ARGV[at + 14], tonumber(ARGV[at + 15])
    local first, next_section = at + 16, at + 16 + FOLLOW_UP * follow_ups

    local claim = queue .. ':' .. id
    local score = redis.call('ZSCORE', in_state('active', queue), id)
    local held = score and tonumber(score) == tonumber(lease)
    if held and not follow_ups_fit(first, next_section - 1) then
        answer[#answer + 1] = 2
        return next_section
    end
    if held then
        redis.call('ZREM', in_state('active', queue), id)
        redis.call('ZREM', claims_of(worker), claim)
        forget_if_empty('active', queue)
        if execution ~= '' then
            record(id, execution, kept)
        end
        apply(verb, queue, id, unique, due, payload)
        if result ~= '' then
            redis.call('SET', payload_of(id) .. ':result', result, 'PX', result_ms)
            redis.call('PUBLISH', prefix .. ':result:' .. id, verb)
        end
        enqueue_follow_ups(first, next_section - 1)
    else
        drop_claim(worker, claim, lease)
    end
    answer[#answer + 1] = held and 1 or 0
    if lock ~= '' then
        unlock(lock, token, now)
    end
    if seat ~= '' then
        leave_seat(queue, seat)
    end
    return next_section
end

local at = 4
while at <= #ARGV do
    if ARGV[at] == 'done' then
        at = settle_done(at)
    elseif ARGV[at] == 'free' then
        at = free(at)
    else
        forget_done()
        at = settle_task(at)
    end
end
forget_done()
return answer
