-- Writes a stream if it is still at the revision that was read.
-- KEYS: streams, ids, revision (of the catalog)
-- ARGV: streamId, name, what the stored value begins with, value (stream-table.ts), channel of changes
-- Answers 1; 0 when the stream was changed or is gone.
-- @include changed
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if stored == ARGV[4] then return 1 end
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 0 end
if string.sub(stored, 1, #ARGV[3]) ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
changed(KEYS[3], ARGV[5])
return 1
