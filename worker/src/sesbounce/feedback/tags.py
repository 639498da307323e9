"""The names of tags that SES puts on mails itself, and what SES allows in a tag.

Sources: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-send-email.html,
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
"""

import re

# The number of characters that SES allows for the name and for the value of a tag.
TAG_LENGTH = 256
TAG_NAME = re.compile(rf"[A-Za-z0-9_:.-]{{1,{TAG_LENGTH}}}")
CONFIGURATION_SET = "ses:configuration-set"
TENANT = "ses:tenant-name"
