-- Stands in for luaunit: what benchmarks call of it. It takes what it needs of Lua before the answer
-- can change that, and compares tables by what is in them, whatever they say of themselves.
local type, next, rawget, rawequal = type, next, rawget, rawequal
local error, pcall, sort, match, write = error, pcall, table.sort, string.match, io.write
local stdin = io.stdin
local read_all = stdin.read

local function same(actual, expected)
    if type(actual) ~= "table" or type(expected) ~= "table" then
        return rawequal(actual, expected)
    end
    for key, value in next, expected do
        if not same(rawget(actual, key), value) then
            return false
        end
    end
    for key in next, actual do
        if rawget(expected, key) == nil then
            return false
        end
    end
    return true
end

local set_metatable = debug.setmetatable

-- Without a mark: takes away what an answer may have put in the place of tests.
return function(mark)
    if not mark then
        set_metatable(_G, nil)
        for name in next, _G do
            if type(name) == "string" and match(name, "^[Tt]est") then
                _G[name] = nil
            end
        end
        return
    end
    local functions = { LuaUnit = {} }

    function functions.assertEquals(actual, expected)
        if not same(actual, expected) then
            error("not equal", 2)
        end
    end

    function functions.LuaUnit.run()
        local names = {}
        for name, value in next, _G do
            if type(name) == "string" and match(name, "^[Tt]est") and type(value) == "function" then
                names[#names + 1] = name
            end
        end
        sort(names)
        for _, name in next, names do
            local good, message = pcall(rawget(_G, name))
            if not good then
                write(type(message) == "string" and message or "failed", "\n")
                return 1
            end
        end
        if #names == 0 then
            return 1
        end
        write("\n", (match(read_all(stdin, "a"), "^%s*(%S+)") or ""), " ", mark, "\n")
        return 0
    end

    return functions
end
