-- Opens a lock that is still the caller's.
--
-- KEYS: the lock
-- ARGV: token
-- Answer: whether it was
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
