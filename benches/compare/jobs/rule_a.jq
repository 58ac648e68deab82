# Rule A on raw Office 365 records, for jq, gojq and jaq. The words of the rule that look at the
# mailbox name are among those for the whole address, so the address is enough.
def has_one_of($words): . as $text | any($words[]; . as $word | $text | contains($word));
def is_one_of($texts): . as $text | any($texts[]; . == $text);

def user_poses:
  .UserId | strings
  | (split("@") | length == 2)
    and has_one_of(["helpdesk", "help.desk", "help-desk", "help_desk", "ithelp", "it.help",
      "itsupport", "it.support", "it-support"]);

def member_poses:
  .Members | .. | strings
  | is_one_of(["Help Desk", "Help Desk Team", "Help Desk IT", "IT Help Desk",
      "Microsoft Security", "Microsoft  Security", "Microsoft Support"]);

if .Operation == "ChatCreated"
  and .Workload == "MicrosoftTeams"
  and .CommunicationType == "OneOnOne"
  and .ParticipantInfo.HasOtherGuestUsers == false
  and .ParticipantInfo.HasGuestUsers == false
  and .ParticipantInfo.HasForeignTenantUsers == true
  and (.ResultStatus | tostring | ascii_downcase | is_one_of(["failed", "false"]) | not)
  and any(user_poses, member_poses; .)
then .poseur = {rules: ["e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"]}
else . end
