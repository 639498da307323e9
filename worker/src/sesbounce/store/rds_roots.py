"""The root certificates of Amazon RDS: `sslrootcert=rds` in a database URL names them.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

from pathlib import Path

NAME = "rds"
ROOTS = Path(__file__).with_name("rds_roots.pem")
