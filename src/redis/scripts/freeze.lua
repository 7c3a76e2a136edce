-- Freezes a batch's manifest; it takes the place of an earlier one.
--
-- KEYS: 1 batch, 2 entry, 3 manifest
-- ARGV: 1 token of the claim ('': none), 2 the manifest
-- Answer: 1; 0: the claim is lost, or the batch is gone
-- @include held

if redis.call('EXISTS', KEYS[1]) == 0 or not isHeld(KEYS[2], ARGV[1]) then return 0 end
redis.call('SET', KEYS[3], ARGV[2])
return 1
