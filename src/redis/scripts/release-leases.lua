-- Lets go of what a node holds of a source's partitions.
--
-- KEYS: 1 readers, 2 leases
-- ARGV: 1 node
-- Answer: 1

redis.call('HDEL', KEYS[1], ARGV[1])
local leases = redis.call('HGETALL', KEYS[2])
for i = 1, #leases, 2 do
  local holder = string.match(leases[i + 1], '^%S+ (.*)$')
  if holder == ARGV[1] then redis.call('HDEL', KEYS[2], leases[i]) end
end
return 1
