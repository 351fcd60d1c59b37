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
