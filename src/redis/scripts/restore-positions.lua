-- Enters how far partitions were read elsewhere; those that have gone further here stay.
--
-- KEYS: 1 gone, 2 positions, 3 requests, 4 requestorder
-- ARGV: 1 now (wall ms), 2 how long requests are known (ms), 3 of how many, then of each partition: its
--   name, sequence, atMs, position, '1' if it passes, else ''
-- Answer: 1, also when the call is repeated; 0: the stream is deleted
-- @include origins

local partitions = { positions = KEYS[2], requests = KEYS[3], requestorder = KEYS[4] }
local kept = {
  forMs = tonumber(ARGV[2]), sinceMs = tonumber(ARGV[1]) - tonumber(ARGV[2]),
  countMax = tonumber(ARGV[3]),
}

if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local requestCount = 0
for i = 4, #ARGV, 5 do
  local origin = {
    partition = ARGV[i], sequence = ARGV[i + 1], atMs = ARGV[i + 2], position = ARGV[i + 3],
    passing = ARGV[i + 4] == '1',
  }
  if tonumber(origin.sequence) > lastSequence(partitions, origin, kept.sinceMs) then
    enterOrigin(partitions, origin)
    if origin.passing then requestCount = requestCount + 1 end
  end
end
forgetRequests(partitions, requestCount, kept)
return 1
