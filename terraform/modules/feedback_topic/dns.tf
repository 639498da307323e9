# The DNS records of the domains that Terraform creates in SES.

locals {
  # https://docs.aws.amazon.com/general/latest/gr/ses.html#ses_dkim_domains
  regions_with_dkim_domain = [
    "af-south-1", "ap-northeast-3", "ap-south-2", "ap-southeast-3", "ap-southeast-5", "ca-west-1",
    "eu-central-2", "eu-south-1", "il-central-1", "me-central-1", "us-gov-east-1",
  ]
  dkim_domain = coalesce(
    var.dkim_domain,
    contains(local.regions_with_dkim_domain, local.here.region) ? "dkim.${local.here.region}.amazonses.com" : "dkim.amazonses.com",
  )

  # Easy DKIM has three records for each domain.
  dkim_records = merge([
    for domain, identity in aws_sesv2_email_identity.this : {
      for index in range(3) : "${domain}/dkim-${index + 1}" => {
        domain  = domain
        purpose = "DKIM"
        name    = "${identity.dkim_signing_attributes[0].tokens[index]}._domainkey.${domain}"
        type    = "CNAME"
        value   = "${identity.dkim_signing_attributes[0].tokens[index]}.${local.dkim_domain}"
      }
    } if !strcontains(domain, "@")
  ]...)

  mail_from_records = merge([
    for domain, identity in local.created : {
      "${domain}/mail-from-mx" = {
        domain  = domain
        purpose = "MAIL FROM"
        name    = identity.mail_from_domain
        type    = "MX"
        value   = "10 feedback-smtp.${local.here.region}.amazonses.com"
      }
      "${domain}/mail-from-spf" = {
        domain  = domain
        purpose = "MAIL FROM"
        name    = identity.mail_from_domain
        type    = "TXT"
        value   = "v=spf1 include:amazonses.com ~all"
      }
    } if identity.mail_from_domain != null
  ]...)

  # A domain's DMARC policy is for all its mail, also for what others than SES send: Terraform creates none.
  dmarc_records = {
    for domain in keys(aws_sesv2_email_identity.this) : "${domain}/dmarc" => {
      domain  = domain
      purpose = "DMARC, a suggestion"
      name    = "_dmarc.${domain}"
      type    = "TXT"
      value   = "v=DMARC1; p=none;"
    } if !strcontains(domain, "@")
  }

  route53_records = {
    for key, record in merge(local.dkim_records, local.mail_from_records) :
    key => record if local.created[record.domain].route53_zone_id != null
  }
  dns_ttl_seconds = 1800
}

resource "aws_route53_record" "this" {
  for_each = local.route53_records

  zone_id = local.created[each.value.domain].route53_zone_id
  name    = each.value.name
  type    = each.value.type
  ttl     = local.dns_ttl_seconds
  records = [each.value.value]
}
