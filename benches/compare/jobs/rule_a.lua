-- Rule A on raw Office 365 records, for Fluent Bit.
local words = {"helpdesk", "help.desk", "help-desk", "help_desk", "ithelp", "it.help", "itsupport",
  "it.support", "it-support"}
local names = {["Help Desk"] = true, ["Help Desk Team"] = true, ["Help Desk IT"] = true,
  ["IT Help Desk"] = true, ["Microsoft Security"] = true, ["Microsoft  Security"] = true,
  ["Microsoft Support"] = true}

local function user_poses(user)
  if type(user) ~= "string" or not user:match("^[^@]*@[^@]*$") then return false end
  for _, word in ipairs(words) do
    if user:find(word, 1, true) then return true end
  end
  return false
end

local function member_poses(members)
  if type(members) ~= "table" then return false end
  for _, member in ipairs(members) do
    if type(member) == "table" and names[member["DisplayName"]] then return true end
  end
  return false
end

function judge(_, timestamp, record)
  if record["Operation"] ~= "ChatCreated" or record["Workload"] ~= "MicrosoftTeams"
    or record["CommunicationType"] ~= "OneOnOne" then
    return 0
  end
  local parties = record["ParticipantInfo"]
  local status = string.lower(tostring(record["ResultStatus"]))
  if type(parties) ~= "table" or parties["HasOtherGuestUsers"] ~= false
    or parties["HasGuestUsers"] ~= false or parties["HasForeignTenantUsers"] ~= true
    or status == "failed" or status == "false" then
    return 0
  end
  if not user_poses(record["UserId"]) and not member_poses(record["Members"]) then return 0 end
  record["poseur"] = {rules = {"e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"}}
  return 2, timestamp, record
end
