-- Enters a replayed part, if nobody else has entered one of its source meanwhile.
-- KEYS: gone, replays, replayorder (of lane 0)
-- ARGV: batchId, source, part (JSON), known parts of the source
-- Answers 1; 0 when there are other parts than the known; -2 when the stream is deleted.
if redis.call('EXISTS', KEYS[1]) == 1 then return -2 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return 1 end
local order = redis.call('HGET', KEYS[3], ARGV[2]) or ''
if #order ~= tonumber(ARGV[4]) * #ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[2], order .. ARGV[1])
return 1
