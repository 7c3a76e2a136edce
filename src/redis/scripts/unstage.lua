-- Removes what is staged of a batch.
--
-- KEYS: 1 batch, 2 entry, 3 staged, 4 usage
-- ARGV: 1 token of the claim ('': none)
-- Answer: 1, also when nothing is staged; 0: the claim is lost
-- @include held

if not isHeld(KEYS[2], ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[3])
local stagedBytes = redis.call('HGET', KEYS[1], 'stagedBytes')
if not stagedBytes then return 1 end
redis.call('HDEL', KEYS[1], 'stagedBytes')
redis.call('HINCRBY', KEYS[4], 'storedBytes', -stagedBytes)
return 1
