-- Enters a stream under a name that is free.
-- KEYS: streams, ids, revision (of the catalog)
-- ARGV: streamId, name, value (stream-table.ts), channel of changes
-- Answers 1; 0 when there is another stream of that name.
-- @include changed
if redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2] then return 1 end
if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
changed(KEYS[3], ARGV[4])
return 1
