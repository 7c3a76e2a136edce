-- The claim takes long, and counts no more among those that are limited.
--
-- KEYS: inflight, lent
-- ARGV: batchId, token
-- Answer: 1, or 0 if the claim is lost or has ended
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
return 1
