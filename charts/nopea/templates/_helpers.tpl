{{/* The labels of every object. The first two are those of deploy/. */}}
{{- define "nopea.labels" -}}
app.kubernetes.io/name: {{ .Values.name }}
app.kubernetes.io/part-of: nopea
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The namespace in which Nopea writes its Lease and its Secret: the one it watches, or its own. */}}
{{- define "nopea.stateNamespace" -}}
{{ .Values.watchNamespace | default .Release.Namespace }}
{{- end }}

{{- define "nopea.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The service account of the Deployment, as a subject. */}}
{{- define "nopea.subject" -}}
- kind: ServiceAccount
  name: {{ .Values.name }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/*
A variable of the container: {values, name, value} or {values, name, ref}, where `ref` names a key of a Secret. Nothing if it is
empty or in `env`: a list of variables with a name twice is refused by server-side apply.
*/}}
{{- define "nopea.variable" -}}
{{- if and (not (hasKey .values.env .name)) (or .value .ref) }}
- name: {{ .name }}
  {{- if .ref }}
  valueFrom:
    secretKeyRef:
      {{- toYaml .ref | nindent 6 }}
  {{- else }}
  value: {{ .value | toString | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "nopea.variables" -}}
{{- $values := .Values }}
{{- $shutdown := int .Values.shutdownSeconds }}
{{- $maxObjects := .Values.limits.maxObjects }}
{{- range list
  (dict "name" "HOME" "value" "/tmp")
  (dict "name" "NOPEA_WEBHOOK_SECRET_FILE" "value" "/etc/nopea/webhook/token")
  (dict "name" "NOPEA_RECORD_USERS" "value" .Values.recordUsers.enabled)
  (dict "name" "NOPEA_READ_ONLY" "value" (eq .Values.profile "read-only"))
  (dict "name" "NOPEA_APPLY_AS_CONTROLLER" "value" (has .Values.profile (list "cluster-admin" "read-only")))
  (dict "name" "NOPEA_NAMESPACE" "value" .Values.watchNamespace)
  (dict "name" "NOPEA_DEFAULT_SERVICE_ACCOUNT" "value" .Values.defaultServiceAccount)
  (dict "name" "NOPEA_ALLOWED_HOSTS" "value" (join "," .Values.allowedHosts))
  (dict "name" "NOPEA_REMOTE_BASES" "value" (join "," .Values.remoteBases))
  (dict "name" "NOPEA_GIT_NETWORKS" "value" .Values.gitNetworks)
  (dict "name" "NOPEA_CROSS_NAMESPACE_REFS" "value" .Values.crossNamespaceRefs)
  (dict "name" "NOPEA_MIN_INTERVAL" "value" .Values.limits.minInterval)
  (dict "name" "NOPEA_MAX_TIMEOUT" "value" .Values.limits.maxTimeout)
  (dict "name" "NOPEA_MAX_OBJECTS" "value" (ternary "" (int64 $maxObjects) (empty $maxObjects)))
  (dict "name" "NOPEA_NOTIFY_URL" "value" (join "," .Values.notifications.urls))
  (dict "name" "NOPEA_NOTIFY_SECRET" "ref" .Values.notifications.signingSecret)
  (dict "name" "NOPEA_SLACK_URL" "ref" .Values.notifications.slackSecret)
  (dict "name" "NOPEA_TEAMS_URL" "ref" .Values.notifications.teamsSecret)
  (dict "name" "NOPEA_DISCORD_URL" "ref" .Values.notifications.discordSecret)
  (dict "name" "NOPEA_ALERTMANAGER_URL" "value" (join "," .Values.notifications.alertmanagers))
  (dict "name" "NOPEA_NOTIFY_EVENTS" "value" (join "," .Values.notifications.events))
  (dict "name" "NOPEA_NOTIFY_SEVERITY" "value" .Values.notifications.severity)
  (dict "name" "NOPEA_NOTIFY_AFTER" "value" .Values.notifications.after)
  (dict "name" "NOPEA_NOTIFY_PER_MINUTE" "value" .Values.notifications.perMinute)
  (dict "name" "NOPEA_CLUSTER_NAME" "value" .Values.clusterName)
  (dict "name" "NOPEA_COMMIT_STATUS" "value" .Values.commitStatus.enabled)
  (dict "name" "NOPEA_COMMIT_STATUS_URL" "value" .Values.commitStatus.url)
  (dict "name" "NOPEA_PULL_REQUEST_PLANS" "value" .Values.pullRequestPlans)
  (dict "name" "NOPEA_CDEVENTS_SINK" "value" (join "," .Values.cdevents.sinks) "ref" .Values.cdevents.sinkSecret)
  (dict "name" "NOPEA_CDEVENTS_SOURCE" "value" .Values.cdevents.source)
  (dict "name" "NOPEA_CDEVENTS_MODE" "value" .Values.cdevents.mode)
  (dict "name" "NOPEA_CDEVENTS_VERSION" "value" .Values.cdevents.version)
  (dict "name" "NOPEA_CDEVENTS_DRIFT" "value" .Values.cdevents.drift)
  (dict "name" "NOPEA_ENVIRONMENT" "value" .Values.cdevents.environment)
  (dict "name" "NOPEA_DASHBOARD" "value" .Values.dashboard.enabled)
  (dict "name" "NOPEA_DASHBOARD_HOSTS" "value" (join "," .Values.dashboard.hosts))
  (dict "name" "NOPEA_LOG_LEVEL" "value" .Values.log.level)
  (dict "name" "NOPEA_LOG_FORMAT" "value" .Values.log.format)
  (dict "name" "NOPEA_GIT_CHILDREN" "value" .Values.git.children)
  (dict "name" "NOPEA_GIT_MEMORY" "value" .Values.git.memory)
  (dict "name" "NOPEA_GIT_DISK" "value" .Values.git.disk)
  (dict "name" "NOPEA_SHUTDOWN_SECONDS" "value" (ternary "" $shutdown (eq $shutdown 25)))
}}
{{- include "nopea.variable" (set . "values" $values) }}
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  valueFrom:
    {{- toYaml $value | nindent 4 }}
  {{- else }}
  value: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What Nopea may do with its own kinds and with Events: in the whole cluster, or in watchNamespace. */}}
{{- define "nopea.ownRules" -}}
{{- if eq .Values.profile "read-only" }}
- apiGroups: [nopea.io]
  resources: [gitrepositories, inventories]
  verbs: [get, list, watch]
- apiGroups: [nopea.io]
  resources: [gitrepositories/status]
  verbs: [patch]
{{- else }}
# Watch all GitRepositories; patch is for the finalizer and for annotations that Nopea handles.
- apiGroups: [nopea.io]
  resources: [gitrepositories]
  verbs: [get, list, watch, patch]
- apiGroups: [nopea.io]
  resources: [gitrepositories/status]
  verbs: [patch]
# The owner reference of an Inventory blocks the deletion of its owner, which needs this right on the owner.
- apiGroups: [nopea.io]
  resources: [gitrepositories/finalizers]
  verbs: [update]
# Inventories are Nopea's own records; creating one by server-side apply needs create and patch.
- apiGroups: [nopea.io]
  resources: [inventories]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
# Events about GitRepositories; repeated Events are patched into a series.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
