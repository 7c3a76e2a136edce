-- Puts one more chunk of a batch that is being imported under the names of that attempt.
--
-- KEYS: 1 chunks and 2 index of the attempt
-- ARGV: 1 how many chunks there are before this one, 2 seconds after which an attempt that has died is
--   gone, 3 frame (chunk-frame.ts), 4 its 16 bytes of the index
-- Answer: 1, also when the call is repeated; 0: what was put before is gone

local before = tonumber(ARGV[1])
local count = redis.call('LLEN', KEYS[1])
if count == before then
  redis.call('RPUSH', KEYS[1], ARGV[3])
  redis.call('APPEND', KEYS[2], ARGV[4])
elseif count ~= before + 1 then
  return 0
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
