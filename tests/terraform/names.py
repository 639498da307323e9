"""The ARNs, principals and conditions in the policies that the tests render."""

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "999999999999"
REGION = f"eu-west-1:{ACCOUNT}"

TOPIC = f"arn:aws:sns:{REGION}:sesbounce-feedback"
EXTRA_TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:sesbounce-feedback"
OPT_IN_TOPIC = f"arn:aws:sns:eu-south-1:{OTHER_ACCOUNT}:SESBounce"
QUEUE = f"arn:aws:sqs:{REGION}:sesbounce-feedback"
DLQ = f"{QUEUE}-dlq"
SUBSCRIPTION_DLQ = f"{QUEUE}-subscription-dlq"
KEY = f"arn:aws:kms:{REGION}:key/1234abcd"
IDENTITY = f"arn:aws:ses:{REGION}:identity/example.com"
CONFIGURATION_SET = f"arn:aws:ses:{REGION}:configuration-set/newsletter"
OWN_IDENTITY = f"arn:aws:ses:{REGION}:identity/sesbounce.example"
OWN_SET = f"arn:aws:ses:{REGION}:configuration-set/sesbounce"
ZONE = "arn:aws:route53:::hostedzone/Z0123"
REPOSITORY = f"arn:aws:ecr:{REGION}:repository/sesbounce"
LOG = f"arn:aws:logs:{REGION}:log-group:/ecs/sesbounce:log-stream:worker/worker/1"
DATABASE_USER = f"arn:aws:rds-db:{REGION}:dbuser:db-ABCDEFGHIJKL/sesbounce_worker"
PASSWORD = f"arn:aws:secretsmanager:{REGION}:secret:rds!db-1-AbCdEf"
HASH_KEY = f"arn:aws:ssm:{REGION}:parameter/sesbounce/hash-key"
SECRETS_KEY = f"arn:aws:kms:{REGION}:key/5678"

SNS = ("Service", "sns.amazonaws.com")
SES = ("Service", "ses.amazonaws.com")
TASKS = ("Service", "ecs-tasks.amazonaws.com")
SCHEDULER = ("Service", "scheduler.amazonaws.com")
SOMEBODY = ("AWS", OTHER_ACCOUNT)
# In a region that accounts opt in to, SNS has another name for what it sends elsewhere.
OPT_IN_SNS = ("Service", "sns.eu-south-1.amazonaws.com")
GITHUB = (
    "Federated",
    f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
)
GROUP = f"arn:aws:scheduler:{REGION}:schedule-group/sesbounce"
IAM = f"arn:aws:iam::{ACCOUNT}"
RDS = f"arn:aws:rds:{REGION}"
TASK_ROLE = f"{IAM}:role/sesbounce-task"
BOUNDARY = f"{IAM}:policy/sesbounce-boundary"
OURS = {"aws:ResourceTag/Application": "sesbounce"}
FOR_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
API_ROLE = f"{IAM}:role/sesbounce-api"
EXECUTION_ROLE = f"{IAM}:role/sesbounce-execution"
SCHEDULE_ROLE = f"{IAM}:role/sesbounce-schedule"
FUNCTION_ROLE = f"{IAM}:role/sesbounce-function"
SWEEP_ROLE = f"{IAM}:role/sesbounce-sweep"
FUNCTION = f"arn:aws:lambda:{REGION}:function:sesbounce"
TASK_DEFINITION = f"arn:aws:ecs:{REGION}:task-definition/sesbounce:7"
TASK = f"arn:aws:ecs:{REGION}:task/sesbounce/1"
IN_CLUSTER = {"ecs:cluster": f"arn:aws:ecs:{REGION}:cluster/sesbounce"}
AT_ITS_START = {"ecs:CreateAction": "RunTask"}
DEVELOPERS = {"iam:PermissionsBoundary": f"{IAM}:policy/developers"}

Call = tuple[str, str, dict[str, str]]
"""Action, resource and context."""
