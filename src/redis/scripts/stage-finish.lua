-- What was staged in one attempt takes the place of what was staged before.
--
-- KEYS: 1 batch, 2 entry, 3 staged of the attempt, 4 staged, 5 usage
-- ARGV: 1 token of the claim ('': none), 2 name of the attempt, 3 how many segments it has, 4 the segment
--   of its index, 5 bytes of them all
-- Answer: 1, also when the call is repeated; 0: the claim is lost, or the batch is gone; -1: some of it is
--   gone, because it took too long
-- @include held

if redis.call('EXISTS', KEYS[1]) == 0 or not isHeld(KEYS[2], ARGV[1]) then return 0 end
if redis.call('HGET', KEYS[4], 'attempt') == ARGV[2] then return 1 end
local segmentCount = tonumber(ARGV[3])
if redis.call('HLEN', KEYS[3]) ~= segmentCount then return -1 end

local replacedBytes = tonumber(redis.call('HGET', KEYS[1], 'stagedBytes') or 0)
-- A full Redis refuses neither of these, and then nothing of what follows
redis.call('UNLINK', KEYS[4])
if segmentCount > 0 then
  redis.call('RENAME', KEYS[3], KEYS[4])
  redis.call('PERSIST', KEYS[4])
end
redis.call('HSET', KEYS[4], 'attempt', ARGV[2], 'index', ARGV[4])
redis.call('HSET', KEYS[1], 'stagedBytes', ARGV[5])
redis.call('HINCRBY', KEYS[5], 'storedBytes', tonumber(ARGV[5]) - replacedBytes)
return 1
