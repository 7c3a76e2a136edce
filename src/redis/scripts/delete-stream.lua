-- Removes a stream, and frees its name.
-- KEYS: streams, ids, revision (of the catalog)
-- ARGV: streamId, channel of changes
-- Answers 1; 0 when it is not there.
-- @include changed
local name = redis.call('HGET', KEYS[2], ARGV[1])
if not name then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[1], name)
changed(KEYS[3], ARGV[2])
return 1
