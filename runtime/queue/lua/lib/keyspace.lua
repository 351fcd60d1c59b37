-- The names of keys. The prefix is always ARGV[1]; KEYS[1] only routes the call to the keyspace's slot.
local prefix = ARGV[1]

local function in_state(state, queue)
    return prefix .. ':' .. state .. ':' .. queue
end

local function payload_of(id)
    return prefix .. ':task:' .. id
end

local function executions_of(id)
    return prefix .. ':task:' .. id .. ':executions'
end

local function executions_count_of(id)
    return prefix .. ':task:' .. id .. ':executions_count'
end

-- What a worker holds, each with its lease.
local function claims_of(worker)
    return prefix .. ':worker:' .. worker .. ':claims'
end

-- The seats of a queue with a limit, each with the time at which it is free again: TaskTiger's semaphore.
-- The seat `SYSTEM_LOCK` closes the queue.
local function seats_of(queue)
    return prefix .. ':qslock:' .. queue
end

-- Lets a queue's seats expire after this long, but not before something that is in there already.
local function keep_seats(queue, ms)
    if redis.call('PTTL', seats_of(queue)) < ms then
        redis.call('PEXPIRE', seats_of(queue), math.ceil(ms))
    end
end

-- Whether a name in a lock or a seat is meant: by all of it, or, where only the worker is named (`<worker>:`), by its
-- beginning.
local function is_meant(name, meant)
    return name == meant or (string.sub(meant, -1) == ':' and string.sub(name, 1, #meant) == meant)
end

-- Forgets a claim, but only under this lease: the worker may have claimed the same task again since.
local function drop_claim(worker, claim, lease)
    local score = redis.call('ZSCORE', claims_of(worker), claim)
    if score and tonumber(score) == tonumber(lease) then
        redis.call('ZREM', claims_of(worker), claim)
    end
end

-- Takes a queue's name out of a state's set when nothing of it is left there.
local function forget_if_empty(state, queue)
    if redis.call('EXISTS', in_state(state, queue)) == 0 then
        redis.call('SREM', prefix .. ':' .. state, queue)
    end
end

-- Tells workers that a queue has work.
local function announce(queue)
    redis.call('PUBLISH', prefix .. ':activity', queue)
end

-- Tells promoters when something is due.
local function announce_due(queue, due)
    redis.call('PUBLISH', prefix .. ':due', due .. ' ' .. queue)
end
