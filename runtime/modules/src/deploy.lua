-- Deploys a component under a module's name: stores it, records the next version, switches the name and
-- tells the workers. Deploying what is current already changes nothing, but brings lost bytes back.
--
-- KEYS  1  P:queued, which routes the call
-- ARGV  1  prefix
--       2  module
--       3  digest
--       4  bytes
--       5  the version's record without its number: a JSON object with fields
-- Answers the version's number, and 1 where it is new.
local prefix, module, digest, record = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local current = redis.call('HGET', prefix .. ':modules', module)
if current then
    local readable, known = pcall(cjson.decode, current)
    if readable and known.digest == digest then
        redis.call('SET', prefix .. ':blob:' .. digest, ARGV[4])
        return { known.version, 0 }
    end
end
local version = redis.call('HLEN', prefix .. ':module:' .. module) + 1
record = '{"version":' .. version .. ',' .. string.sub(record, 2)
redis.call('SET', prefix .. ':blob:' .. digest, ARGV[4])
redis.call('HSET', prefix .. ':module:' .. module, version, record)
redis.call('HSET', prefix .. ':modules', module, record)
redis.call('PUBLISH', prefix .. ':deploys', module)
return { version, 1 }
