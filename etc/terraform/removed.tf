# Terraform forgets the certificate and does not revoke it.
removed {
  from = cloudflare_origin_ca_certificate.example

  lifecycle {
    destroy = false
  }
}
