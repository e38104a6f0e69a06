# Of what helm renders, keeps what config/workloads holds: no rights and accounts, which are in config/rbac, and no marks of Helm.
function flush() {
  if (kind != "" && kind !~ /^(Role|RoleBinding|ClusterRole|ClusterRoleBinding|ServiceAccount|CustomResourceDefinition)$/) printf "---\n%s", document
  document = kind = ""
}
/^---$/ { flush(); next }
/^# Source:/ || /helm\.sh\/chart:/ || /app\.kubernetes\.io\/managed-by:/ || /^ *$/ { next }
/^kind: / { kind = $2 }
{ sub(/ +$/, ""); document = document $0 "\n" }
END { flush() }
