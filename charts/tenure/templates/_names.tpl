{{- define "tenure.name" -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tenure.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{- define "tenure.selector" -}}
app.kubernetes.io/name: tenure
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "tenure.labels" -}}
{{ include "tenure.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Certificates of TLS: read and written by name, never listed. RBAC knows no names of what is yet to be created. */}}
{{- define "tenure.secretRules" -}}
- apiGroups: ['']
  resources: [secrets]
  {{- with .Values.secrets.names }}
  resourceNames: {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get, patch]
- apiGroups: ['']
  resources: [secrets]
  verbs: [create]
{{- end -}}
