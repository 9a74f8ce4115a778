-- SPDX-License-Identifier: MIT
-- tree.lua SEED: strings, tables and closures made and dropped; prints sums of what it computed.
local state = tonumber(arg[1])

local function draw(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return (state >> 8) % n
end

local function tree(depth)
    if depth == 0 then return { leaf = draw(1000) } end
    return { left = tree(depth - 1), right = tree(depth - 1), name = "n" .. draw(100000) }
end

local function sum(node)
    if node.leaf then return node.leaf end
    return sum(node.left) + sum(node.right) + #node.name
end

local kept, total = {}, 0
for round = 1, 24 do
    kept[round % 4] = tree(11)
    total = total + sum(kept[round % 4])
end

local words, length = {}, 0
for i = 1, 60000 do
    local word = ("w%d-%d"):format(draw(5000), i % 7)
    words[word] = (words[word] or 0) + 1
    if i % 3 == 0 then length = length + #(word:rep(draw(12))) end
end
local count = 0
for _ in pairs(words) do count = count + 1 end
print(total, count, length)
