-- Enters lanes into the list of all lanes. Each is entered only once and never changed.
-- KEYS: lanes (of the catalog)
-- ARGV: fields, `<streamId>/<lane>`
-- Answers 1.

for i = 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], 1) end
return 1
