-- Puts one segment of what is being staged under the name of that attempt.
--
-- KEYS: 1 batch, 2 entry, 3 staged of the attempt
-- ARGV: 1 token of the claim ('': none), 2 number of the segment, 3 segment (staged-segment.ts),
--   4 seconds after which an attempt that has died is gone
-- Answer: 1, also when the call is repeated; 0: the claim is lost, or the batch is gone
-- @include held

if redis.call('EXISTS', KEYS[1]) == 0 or not isHeld(KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[4])
return 1
