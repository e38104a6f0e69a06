{{- define "kustiq.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kustiq.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What selects the pods of a role: of one region when there is one. Takes root, component and, optionally, region. */ -}}
{{- define "kustiq.selector" -}}
app.kubernetes.io/name: kustiq
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- if .region }}
kustiq.io/region: {{ .region }}
{{- end }}
{{- end -}}

{{- define "kustiq.labels" -}}
{{ include "kustiq.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kustiq
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* What belongs to the installation as a whole. */ -}}
{{- define "kustiq.commonLabels" -}}
app.kubernetes.io/name: kustiq
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kustiq
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* A region as YAML: its own settings on top of those of all regions. Takes root and region. */ -}}
{{- define "kustiq.region" -}}
{{- $v := .root.Values -}}
{{- $token := lower .region.name -}}
{{- $full := include "kustiq.fullname" .root -}}
{{- $r := dict "name" .region.name "token" $token "nodeRegions" (.region.nodeRegions | default list) -}}
{{- range $part := list "bus" "store" "receiver" "engine" "worker" "dashboard" -}}
{{- $_ := set $r $part (mergeOverwrite (deepCopy (index $v $part)) (deepCopy (index $.region $part | default dict))) -}}
{{- end -}}
{{- $_ := set $r "receiverURL" (.region.receiverURL | default (printf "http://%s-receiver-%s.%s.svc" $full $token .root.Release.Namespace)) -}}
{{- $_ := set $r "dashboardURL" (.region.dashboardURL | default (printf "http://%s-dashboard-%s.%s.svc" $full $token .root.Release.Namespace)) -}}
{{- $bus := $r.bus -}}
{{- $name := printf "%s-bus-%s" $full $token -}}
{{- if $bus.external.url -}}
{{- $_ := set $bus "url" $bus.external.url -}}
{{- $_ := set $bus "copies" $bus.external.replicas -}}
{{- $_ := set $bus "token" $bus.external.tokenSecret -}}
{{- $way := dict "token" $bus.external.tokenSecret.name "creds" $bus.external.credsSecret.name -}}
{{- if and $way.token $way.creds -}}
{{- fail (printf "bus.external of region %s has both tokenSecret and credsSecret: leave one out" .region.name) -}}
{{- else if not (or $way.token $way.creds) -}}
{{- fail (printf "bus.external of region %s needs tokenSecret.name or credsSecret.name: the Secret with what its roles sign in by" .region.name) -}}
{{- end -}}
{{- else -}}
{{- $urls := list -}}{{- $members := list -}}
{{- range $i := until (int $bus.replicas) -}}
{{- $host := printf "%s-%d.%s-headless.%s.svc" $name $i $name $.root.Release.Namespace -}}
{{- $urls = append $urls (printf "nats://%s:4222" $host) -}}
{{- $members = append $members (printf "%s:6222" $host) -}}
{{- end -}}
{{- $_ := set $bus "url" (eq (int $bus.replicas) 1 | ternary (printf "nats://%s.%s.svc:4222" $name .root.Release.Namespace) (join "," $urls)) -}}
{{- $_ := set $bus "copies" $bus.replicas -}}
{{- $_ := set $bus "members" (join "," $members) -}}
{{- $_ := set $bus "token" (dict "name" "kustiq-keys" "key" "bus-token") -}}
{{- end -}}
{{- toYaml $r -}}
{{- end -}}

{{- /* How a role reaches the bus of its region. Takes r. */ -}}
{{- define "kustiq.busArgs" -}}
- --region={{ .r.name }}
- --bus-url={{ .r.bus.url }}
{{- with .r.bus.external }}
{{- if and .url .credsSecret.name }}
- --bus-creds-file=/etc/kustiq/bus/user.creds
{{- else }}
- --bus-token-file=/etc/kustiq/bus/token
{{- end }}
{{- if and .url .caSecret.name }}
- --bus-ca-file=/etc/kustiq/bus/ca.crt
{{- end }}
{{- end }}
- --bus-replicas={{ .r.bus.copies }}
- --bus-stream-size={{ .r.bus.streamSize }}
{{- if .r.bus.external.url }}
{{- with .r.bus.external.placement.cluster }}
- --bus-placement-cluster={{ . }}
{{- end }}
{{- with .r.bus.external.placement.tags }}
- --bus-placement-tags={{ join "," . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "kustiq.logArgs" -}}
- --log-format={{ .Values.log.format }}
- --log-level={{ .Values.log.level }}
{{- end -}}

{{- define "kustiq.stripeArg" -}}
{{- with .Values.stripeURL }}
- --stripe-url={{ . }}
{{- end }}
{{- end -}}

{{- /* One key of a Secret as the source of a volume. Takes secret and path. */ -}}
{{- define "kustiq.secretSource" -}}
- secret:
    name: {{ .secret.name }}
    items: [{key: {{ .secret.key }}, path: {{ .path }}}]
{{- end -}}

{{- /* What a role signs in to the bus of its region by, and the certificates that sign the bus's. Takes a region. */ -}}
{{- define "kustiq.busVolume" -}}
- name: bus
  projected:
    defaultMode: 0440
    sources:
    {{- if .bus.token.name }}
    {{- include "kustiq.secretSource" (dict "secret" .bus.token "path" "token") | nindent 4 }}
    {{- end }}
    {{- if .bus.external.url }}
    {{- include "kustiq.externalBusSources" .bus.external | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "kustiq.externalBusSources" -}}
{{- if .credsSecret.name }}
{{- include "kustiq.secretSource" (dict "secret" .credsSecret "path" "user.creds") | nindent 0 }}
{{- end }}
{{- if .caSecret.name }}
{{- include "kustiq.secretSource" (dict "secret" .caSecret "path" "ca.crt") | nindent 0 }}
{{- end }}
{{- end -}}

{{- /* Those keysets that a role needs, and no others. Takes root and names. */ -}}
{{- define "kustiq.keysVolume" -}}
- name: keys
  secret:
    secretName: kustiq-keys
    defaultMode: 0440
    items:
    {{- range .names }}
    - {key: {{ . }}, path: {{ . }}}
    {{- end }}
    {{- if .root.Values.keys.kmsURI }}
    - {key: kms-uri, path: kms-uri}
    {{- end }}
{{- end -}}

{{- /* What all pods have in common. Takes root, component, values, token (whether it speaks to the API server), account when
       that is not the component's, and r for a role of one region. */ -}}
{{- define "kustiq.podSpec" -}}
serviceAccountName: {{ include "kustiq.fullname" .root }}-{{ .account | default .component }}
automountServiceAccountToken: {{ .token }}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- $affinity := .values.affinity | default dict }}
{{- if and .r .r.nodeRegions }}
{{- /* On top of the affinity that was given, in each of its alternatives. */ -}}
{{- $here := dict "key" "topology.kubernetes.io/region" "operator" "In" "values" .r.nodeRegions }}
{{- $node := $affinity.nodeAffinity | default dict }}
{{- $required := $node.requiredDuringSchedulingIgnoredDuringExecution | default dict }}
{{- $terms := list }}
{{- range $term := $required.nodeSelectorTerms | default (list (dict)) }}
{{- $terms = append $terms (mergeOverwrite (deepCopy $term) (dict "matchExpressions" (append ($term.matchExpressions | default list) $here))) }}
{{- end }}
{{- $node = mergeOverwrite (deepCopy $node) (dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms)) }}
{{- $affinity = mergeOverwrite (deepCopy $affinity) (dict "nodeAffinity" $node) }}
{{- end }}
{{- with $affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- $selector := include "kustiq.selector" (dict "root" .root "component" .component "region" (.r | default dict).token) }}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
{{- toYaml .values.topologySpreadConstraints | nindent 0 }}
{{- else }}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{ $selector | nindent 6 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "kustiq.podMeta" -}}
{{- with .values.podAnnotations }}
annotations: {{ toYaml . | nindent 2 }}
{{- end }}
labels: {{ include "kustiq.selector" (dict "root" .root "component" .component "region" (.r | default dict).token) | nindent 2 }}
  app.kubernetes.io/part-of: kustiq
{{- with .values.podLabels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What all containers have in common. Takes root, values, and the name and number of the port for metrics. */ -}}
{{- define "kustiq.container" -}}
image: {{ include "kustiq.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{ include "kustiq.containerSecurity" . }}
{{- with .values.env }}
env: {{ toYaml . | nindent 2 }}
{{- end }}
resources: {{ toYaml .values.resources | nindent 2 }}
startupProbe:
  httpGet: {path: /healthz, port: {{ .metrics }}}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ .metrics }}}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ .metrics }}}
  periodSeconds: 2
  timeoutSeconds: 2
{{- end -}}

{{- define "kustiq.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "kustiq.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{ include "kustiq.labels" . | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ .name }}}
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ .values.autoscaling.targetCPUUtilizationPercentage }}}
{{- end -}}

{{- define "kustiq.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{ include "kustiq.labels" . | nindent 4 }}
spec:
  # One at a time. It never keeps a node from being drained.
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{ include "kustiq.selector" . | nindent 6 }}
{{- end -}}

{{- /* Where the scores are. Takes a region. */ -}}
{{- define "kustiq.storeArg" -}}
{{- if eq .store.type "sqlite" -}}
- --store=sqlite:///var/lib/kustiq/scores.db
{{- else -}}
- --store-file=/etc/kustiq/store/dsn
{{- end -}}
{{- end -}}

{{- define "kustiq.storeMount" -}}
{{- if eq .store.type "sqlite" -}}
{name: scores, mountPath: /var/lib/kustiq}
{{- else -}}
{name: store, mountPath: /etc/kustiq/store, readOnly: true}
{{- end -}}
{{- end -}}

{{- define "kustiq.dsnVolume" -}}
{{- $_ := required "store.postgres.dsnSecret.name is missing: name the Secret that holds the DSN" .store.postgres.dsnSecret.name -}}
- name: store
  projected:
    defaultMode: 0440
    sources:
    {{- include "kustiq.secretSource" (dict "secret" .store.postgres.dsnSecret "path" "dsn") | nindent 4 }}
    {{- if .store.postgres.caSecret.name }}
    {{- include "kustiq.secretSource" (dict "secret" .store.postgres.caSecret "path" "ca.crt") | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* The dashboard's container. Takes root, r, and the port of its metrics. */ -}}
{{- define "kustiq.dashboardContainer" -}}
{{- $oidc := .r.dashboard.oidc -}}
- name: dashboard
  args:
  - dashboard
  - --url={{ .r.dashboardURL }}
  {{- include "kustiq.busArgs" . | nindent 2 }}
  - --namespace={{ .root.Release.Namespace }}
  - --keys-dir=/etc/kustiq/keys
  {{- include "kustiq.storeArg" .r | nindent 2 }}
  - --oidc-issuer-url={{ $oidc.issuerURL }}
  - --oidc-client-id={{ required "dashboard.oidc.clientID is missing" $oidc.clientID }}
  {{- if $oidc.clientSecret.name }}
  - --oidc-client-secret-file=/etc/kustiq/oidc/secret
  {{- end }}
  {{- if $oidc.caConfigMap.name }}
  - --oidc-ca-file=/etc/kustiq/oidc-ca/ca.crt
  {{- end }}
  - --oidc-username-claim={{ $oidc.usernameClaim }}
  {{- with $oidc.usernamePrefix }}
  - --oidc-username-prefix={{ . }}
  {{- end }}
  {{- with $oidc.groupsClaim }}
  - --oidc-groups-claim={{ . }}
  {{- end }}
  {{- with $oidc.groupsPrefix }}
  - --oidc-groups-prefix={{ . }}
  {{- end }}
  - --oidc-scopes={{ join "," $oidc.scopes }}
  {{- with .r.dashboard.sessionAge }}
  - --session-age={{ . }}
  {{- end }}
  {{- with .r.dashboard.sessionIdle }}
  - --session-idle={{ . }}
  {{- end }}
  - --metrics-listen=:{{ .port }}
  {{- include "kustiq.logArgs" .root | nindent 2 }}
  ports:
  - {name: http, containerPort: 8080}
  - {name: {{ .metrics }}, containerPort: {{ .port }}}
  {{- include "kustiq.container" (dict "root" .root "values" .r.dashboard "metrics" .metrics) | nindent 2 }}
  volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: keys, mountPath: /etc/kustiq/keys, readOnly: true}
  - {name: bus, mountPath: /etc/kustiq/bus, readOnly: true}
  - {{ include "kustiq.storeMount" .r }}
  {{- if eq .r.store.type "sqlite" }}
  # The engine beside it is given no token.
  - {name: kube-api, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
  {{- end }}
  {{- if $oidc.clientSecret.name }}
  - {name: oidc, mountPath: /etc/kustiq/oidc, readOnly: true}
  {{- end }}
  {{- if $oidc.caConfigMap.name }}
  - {name: oidc-ca, mountPath: /etc/kustiq/oidc-ca, readOnly: true}
  {{- end }}
  {{- with .r.dashboard.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "kustiq.oidcVolumes" -}}
{{- with .dashboard.oidc.clientSecret }}
{{- if .name }}
- name: oidc
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: secret}]
{{- end }}
{{- end }}
{{- with .dashboard.oidc.caConfigMap }}
{{- if .name }}
- name: oidc-ca
  configMap:
    name: {{ .name }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- end -}}

{{- /* The ServiceAccount's token, as kubelet would mount it into each container of a pod. */ -}}
{{- define "kustiq.tokenVolume" -}}
- name: kube-api
  projected:
    defaultMode: 0440
    sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3607}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}
