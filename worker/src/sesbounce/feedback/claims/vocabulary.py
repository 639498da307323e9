"""The lists of words that the phrases of the table insert as `{name}`.

`@` stands for an address, `%` for a host, `dnsbl` for a host or URL of a block list.
"""

from sesbounce.feedback.phrases import Vocabulary

VOCABULARY: Vocabulary = {
    # A gap `-` does not reach over these words: there the host begins to speak of something else.
    "other subject": (
        "sender|senders|spf|dkim|dmarc|ptr|dns|rdns|reverse|record|records|domain|domains|host|"
        "hosts|ip|message|messages|content|server|servers|policy|spam|certificate|from|key|"
        "signature|header|headers|attachment|attachments|client|network|your|mx|helo|ehlo|file|"
        "relay|url|link|command|because|due|reputation|tls"
    ),
    "mailbox": (
        "@|user|users|username|userid|recipient|recipients|receiver|rcpt|mailbox|mailboxes|"
        "mail box|mailboxname|inbox|account|accounts|address|addresses|addressee|alias|"
        "emailaddress|person|employee|customer|subscriber|member|local part|localpart|"
        "mail account|destination mailbox|destination address|destination user|forward path|"
        "spectator|individual|student|maildrop"
    ),
    "box": (
        "@|user|users|recipient|recipients|receiver|mailbox|mailboxes|mail box|inbox|account|"
        "accounts|addressee|maildrop|maildir|mailbox quota|mail quota|disk quota|user quota"
    ),
    "unknown": (
        "unknown|not known|isnt known|not found|notfound|not be found|not find|cant be found|"
        "cannot find|cannot be found|unable to find|could not find|unable to locate|"
        "cannot locate|wasnt found|couldnt be found|not located|be located|not exist*|"
        "doesnt exist*|dont exist*|didnt exist|never existed|not on this|can not locate|"
        "can not find|can not be found|wrong|dosnt exist|nonexist*|non exist*|no longer exist*|"
        "no longer valid|no longer available|no longer here|no longer with|no longer at|"
        "no longer work*|no longer employed|no longer on|no longer in|no longer belong*|"
        "no longer used|no longer hosted|no longer served|no longer handled|no longer a|invalid|"
        "not valid|isnt valid|not a valid|isnt a valid|not recognized|not recognised|"
        "unrecognized|unrecognised|not listed|not local|isnt local|unrouteable|unroutable|"
        "not routable|undeliverable|not deliverable|not hosted|not handled|not registered|"
        "unregistered|not a known|not a user|not a registered|not present|not our|has moved|"
        "left the|left our|deleted|been removed|was removed|incorrect|misspelled|mistyped|"
        "not in our|not in my|not served|nx|not a customer|not a real|not a local|not an active|"
        "not email address*"
    ),
    "no": (
        "no such|can not locate|cannot locate|unable to locate|can not find|cannot find|"
        "could not find|no|not a valid|not a known|unknown|invalid|bad|nonexistent|non existent|"
        "unrouteable|unroutable|undeliverable|unrecognized|illegal|wrong|incorrect|undefined"
    ),
    "disabled": (
        "disabled|deactivated|de activated|inactive|suspended|locked|frozen|closed|terminated|"
        "discontinued|cancelled|canceled|not active|isnt active|no longer active|not activated|"
        "not enabled|turned off|switched off|no longer accept|no longer accepts|"
        "no longer accepting|no longer receiv*|expired|dormant|"
        "archived|retired|on hold|abandoned|not in use|obsolete|decommissioned|deprovisioned"
    ),
    "full": (
        "full|exhausted|used up|any more mail|no more mail|enough room|overquota|over quota|"
        "over the quota|over its quota|over their quota|over disk quota|quota exceeded|"
        "is exceeded|was exceeded|been exceeded|be exceeded|quota full|quota is full|exceed* quota|"
        "exceed* the quota|exceed* its quota|exceed* their quota|exceed* storage|"
        "exceed* its storage|exceed* the storage|exceed* their storage|exceed* allowed|"
        "exceed* its allowed|exceed* the maximum allowable|exceed* mailbox|exceed* disk|"
        "exceed* its limit|exceed* its size|exceed* their mailbox|out of storage|out of space|"
        "no space|no storage|not enough space|not enough storage|insufficient space|"
        "insufficient disk|insufficient mailbox|not enough disk|size limit|insufficient storage|"
        "reached its storage|reached its quota|reached the quota|reached its limit|"
        "reached its maximum|storage limit|storage full|size limit exceeded|quota limit|"
        "quota reached|quotaexceededexception|mailboxfull|no room|too full|lacks space|"
        "run out of|over its limit|over the limit|over limit|over the maximum|space exceeded|"
        "storage exceeded|limit exceeded"
    ),
    "sender": (
        "sender|senders|from address|from addresses|mail from|mailfrom|from domain|return path|"
        "envelope from|envelope sender|originator|reverse path|your address|your email address|"
        "your account|sending domain|sending address|your domain|header from|from header|"
        "sender domain|senderaddress|from field|author domain"
    ),
    "machine": (
        "ip|ips|client host|mail server|mailserver|server|host|network|isp|subnet|range|mta|"
        "hosts|servers|smtp server|hostname|connection|connections|address space|provider|domain|"
        "netblock"
    ),
    "rejected": (
        "rejected|blocked|denied|refused|banned|blacklisted|blocklisted|denylisted|not allowed|"
        "not permitted|not trusted|not accepted|not be accepted|not authorized|not authorised|"
        "unauthorized|not welcome|prohibited|forbidden|disallowed|isnt allowed|unacceptable|"
        "listed|black listed|block listed|reject|refuse|rejects|blocks|bans|not accept|untrusted|"
        "suspended|no longer accepted"
    ),
    "message": (
        "message|messages|mail|mails|email|emails|content|contents|body|subject|transmission|"
        "transaction|it|data|communication"
    ),
}
