-- Looks at keys, whosever they are, and sets or removes their expiries.
--
-- The TTL is read and changed in one script: an expiry that somebody sets in between is never overwritten.
-- EXPIRE .. NX would do for that, but came only with Redis 7.0; and a key that changes its type between two
-- commands of a pipeline would fail the second.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  which expiry: milliseconds for keys that have none, `never` for keys that have one, or nothing
--       3  1 to say what would change, and change nothing
--       4- keys
-- Answers, for each key: type (`none` where it is gone), seconds to live (-1 for ever), size (-1 where
-- unknown), 1 if its expiry changes.
local expiry, dry_run = ARGV[2], ARGV[3] == '1'
local size_commands = { string = 'STRLEN', zset = 'ZCARD', set = 'SCARD', list = 'LLEN', hash = 'HLEN', stream = 'XLEN' }

local function change(key, ttl)
    local persist = expiry == 'never' and ttl >= 0
    local expire = expiry ~= '' and expiry ~= 'never' and ttl == -1
    if persist and not dry_run then
        redis.call('PERSIST', key)
    elseif expire and not dry_run then
        redis.call('PEXPIRE', key, expiry)
    end
    return (persist or expire) and 1 or 0
end

local answer = {}
for at = 4, #ARGV do
    local key = ARGV[at]
    local kind, ttl = redis.call('TYPE', key).ok, redis.call('TTL', key)
    answer[#answer + 1] = kind
    answer[#answer + 1] = ttl
    answer[#answer + 1] = size_commands[kind] and redis.call(size_commands[kind], key) or -1
    answer[#answer + 1] = change(key, ttl)
end
return answer
