-- Removes a batch's manifest.
--
-- KEYS: 1 entry, 2 manifest
-- ARGV: 1 token of the claim ('': none)
-- Answer: 1, also when there is none; 0: the claim is lost
-- @include held

if not isHeld(KEYS[1], ARGV[1]) then return 0 end
redis.call('UNLINK', KEYS[2])
return 1
