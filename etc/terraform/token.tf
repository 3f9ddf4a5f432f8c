# The least that the agent needs: certificates of one zone, and to find that zone by its name.
terraform {
  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 4.0"
    }
  }
}

variable "zone_id" {
  type = string
}

data "cloudflare_api_token_permission_groups" "all" {}

resource "cloudflare_api_token" "origin_ca_agent" {
  name = "origin-ca-agent"

  policy {
    permission_groups = [
      data.cloudflare_api_token_permission_groups.all.zone["SSL and Certificates Write"],
      data.cloudflare_api_token_permission_groups.all.zone["Zone Read"],
    ]
    resources = {
      "com.cloudflare.api.account.zone.${var.zone_id}" = "*"
    }
  }
}

output "origin_ca_agent_token" {
  value     = cloudflare_api_token.origin_ca_agent.value
  sensitive = true
}
