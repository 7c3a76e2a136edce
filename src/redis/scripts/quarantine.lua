-- Keeps a damaged chunk for a human to look at, once.
--
-- KEYS: 1 batch, 2 quarantine, 3 usage
-- ARGV: 1 number of the chunk in the batch, 2 what to keep, 3 how many are kept at most, 4 bytes that are
--   kept at most; the oldest go first
-- Answer: 1; 0: it is kept already; -1: the batch is gone

if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('HSETNX', KEYS[1], 'quarantined:' .. ARGV[1], 1) == 0 then return 0 end
redis.call('HINCRBY', KEYS[3], 'quarantinedCount', 1)
redis.call('LPUSH', KEYS[2], ARGV[2])
local keptBytes = redis.call('HINCRBY', KEYS[3], 'quarantinedBytes', #ARGV[2])
while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) or keptBytes > tonumber(ARGV[4]) do
  local oldest = redis.call('RPOP', KEYS[2])
  keptBytes = redis.call('HINCRBY', KEYS[3], 'quarantinedBytes', -#oldest)
end
return 1
