/* A libnvidia-ml.so.1 that plays the machine its script describes.
 *
 * The script is the file named by FORECOURT_STUB_NVML, read anew at every call, one instruction a line:
 *   gpus N                 N cards (default 8)
 *   mig INDEX              that card is in MIG mode, with instances 1g.10gb and 3g.40gb in places 0 and 2
 *   instances INDEX MASK   which places of that card have an instance (default 5: places 0 and 2)
 *   card INDEX NUMBER      the card in that slot has this number in its UUID and serial (default INDEX)
 *   clocks INDEX MASK      its clocks event reasons (default 1: idle)
 *   ecc INDEX CORRECTED, eccbad INDEX UNCORRECTED, remapped INDEX ROWS, pending INDEX 1, failed INDEX 1
 *   process INDEX PID      a process computes there (MPS: `mps INDEX PID`), on GPU instance 7 where MIG is on
 *   gpm INDEX PERCENT      GPU performance monitoring: so busy, half of that its SMs; an instance by its id times 10
 *   event SEQ INDEX TYPE DATA   the driver's event, told once for every new SEQ
 *   energy INDEX MJ        that card's energy register (default 1000000 * (INDEX + 1))
 *   fail FUNCTION CODE     every call of the function returns the code
 *   fail FUNCTION CODE INDEX   only for that card
 *   hang FUNCTION          the function never returns
 *   say FUNCTION           the function prints to standard output, as some libraries do
 * Signatures and structures are those of nvml.h, as the pynvml wrapper calls them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int index; int mig; } card_t;
static card_t cards[64];
static card_t instances[64][8];

typedef struct {
  char legacy[16]; unsigned domain, bus, device, pci_device_id, pci_subsystem_id; char bus_id[32];
} pci_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct {
  unsigned sm, copy, decoder, encoder, jpeg, ofa, gpu_slices, compute_slices; unsigned long long memory_mb;
} attributes_t;

static FILE *script(void) {
  const char *path = getenv("FORECOURT_STUB_NVML");
  return path ? fopen(path, "r") : NULL;
}

/* What the script says of one call: 0 goes on, else the code to return. */
static int played(const char *function, int index) {
  FILE *file = script();
  char line[256], word[64], name[128];
  int result = 0;
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    int code = 0, only = -1;
    int fields = sscanf(line, "%63s %127s %d %d", word, name, &code, &only);
    if (fields < 2 || strcmp(name, function)) continue;
    if (!strcmp(word, "hang")) for (;;) pause();
    if (!strcmp(word, "say")) { printf("chatter\n"); fflush(stdout); }
    if (!strcmp(word, "fail") && (fields < 4 || only == index)) result = code;
  }
  fclose(file);
  return result;
}

static unsigned long long number(const char *wanted, int index, unsigned long long otherwise) {
  FILE *file = script();
  char line[256], word[64];
  if (!file) return otherwise;
  while (fgets(line, sizeof line, file)) {
    int at = -1;
    unsigned long long value = 0;
    int fields = sscanf(line, "%63s %d %llu", word, &at, &value);
    if (fields < 2 || strcmp(word, wanted)) continue;
    if (index < 0) otherwise = (unsigned long long)at;
    else if (at == index) otherwise = fields > 2 ? value : 1;
  }
  fclose(file);
  return otherwise;
}

#define PLAY(index) do { int code = played(__func__, index); if (code) return code; } while (0)
/* The numbers of every line `word INDEX NUMBER` of that card. */
static unsigned listed(const char *wanted, int index, unsigned long long *found, unsigned most) {
  FILE *file = script();
  char line[256], word[64];
  unsigned count = 0;
  if (!file) return 0;
  while (fgets(line, sizeof line, file) && count < most) {
    int at = -1;
    unsigned long long value = 0;
    if (sscanf(line, "%63s %d %llu", word, &at, &value) == 3 && at == index && !strcmp(word, wanted))
      found[count++] = value;
  }
  fclose(file);
  return count;
}

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7
#define TIMEOUT 10
#define NO_INSTANCE 0xFFFFFFFFu

int nvmlInitWithFlags(unsigned flags) { (void)flags; PLAY(-1); return SUCCESS; }
int nvmlShutdown(void) { PLAY(-1); return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "as the script says"; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
  PLAY(-1); snprintf(text, length, "580.65.06"); return SUCCESS;
}
int nvmlDeviceGetCount_v2(unsigned *count) {
  PLAY(-1); *count = (unsigned)number("gpus", -1, 8); return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, card_t **card) {
  PLAY((int)index);
  if (index >= 64) return INVALID_ARGUMENT;
  cards[index].index = (int)index; cards[index].mig = -1; *card = &cards[index];
  return SUCCESS;
}
int nvmlDeviceGetUUID(card_t *card, char *text, unsigned length) {
  PLAY(card->index);
  if (card->mig < 0)
    snprintf(text, length, "GPU-00000000-0000-0000-0000-%012d", (int)number("card", card->index, card->index));
  else snprintf(text, length, "MIG-00000000-0000-0000-%04d-%012d", card->mig, card->index);
  return SUCCESS;
}
int nvmlDeviceGetSerial(card_t *card, char *text, unsigned length) {
  PLAY(card->index);
  snprintf(text, length, "16519230%05d", (int)number("card", card->index, card->index));
  return SUCCESS;
}
int nvmlDeviceGetName(card_t *card, char *text, unsigned length) {
  PLAY(card->index);
  snprintf(text, length, "NVIDIA H100 80GB HBM3%s", card->mig < 0 ? "" : card->mig ? " MIG 3g.40gb" : " MIG 1g.10gb");
  return SUCCESS;
}
int nvmlDeviceGetPciInfo_v3(card_t *card, pci_t *pci) {
  PLAY(card->index);
  memset(pci, 0, sizeof *pci);
  snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", 0x18 + card->index);
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(card_t *card, memory_t *memory) {
  PLAY(card->index);
  memory->total = 81559ULL << 20; memory->used = 71000ULL << 20; memory->free = memory->total - memory->used;
  return SUCCESS;
}
int nvmlDeviceGetMemoryInfo_v2(card_t *card, memory_v2_t *memory) {
  PLAY(card->index);
  memory->total = (card->mig < 0 ? 81559ULL : card->mig ? 40192ULL : 9728ULL) << 20; memory->reserved = 500ULL << 20; memory->used = 70000ULL << 20;
  memory->free = memory->total - memory->reserved - memory->used;
  return SUCCESS;
}
int nvmlDeviceGetMigMode(card_t *card, unsigned *current, unsigned *pending) {
  PLAY(card->index); *current = *pending = (unsigned)number("mig", card->index, 0); return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(card_t *card, unsigned *count) { PLAY(card->index); *count = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(card_t *card, unsigned place, card_t **instance) {
  PLAY(card->index);
  if (place >= 7 || !(number("instances", card->index, 5) >> place & 1)) return NOT_FOUND;
  instances[card->index][place].index = card->index; instances[card->index][place].mig = (int)place;
  *instance = &instances[card->index][place];
  return SUCCESS;
}
int nvmlDeviceGetAttributes_v2(card_t *card, attributes_t *attributes) {
  PLAY(card->index);
  memset(attributes, 0, sizeof *attributes);
  attributes->gpu_slices = card->mig ? 3 : 1; attributes->memory_mb = card->mig ? 40192 : 9728;
  return SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(card_t *card, unsigned long long *energy) {
  PLAY(card->index);
  *energy = number("energy", card->index, 1000000ULL * (unsigned long long)(card->index + 1));
  return SUCCESS;
}
int nvmlDeviceGetPowerUsage(card_t *card, unsigned *power) { PLAY(card->index); *power = 650000; return SUCCESS; }
int nvmlDeviceGetUtilizationRates(card_t *card, utilization_t *rates) {
  PLAY(card->index);
  if (number("mig", card->index, 0)) return NOT_SUPPORTED;
  rates->gpu = 98; rates->memory = 40;
  return SUCCESS;
}

/* Instance in place 0 is GPU instance 7, in place 2 it is 2, as a driver hands out ids in no order. */
static unsigned gpu_instance(card_t *card) { return card->mig ? (unsigned)card->mig : 7; }
int nvmlDeviceGetGpuInstanceId(card_t *card, unsigned *id) {
  PLAY(card->index); *id = gpu_instance(card); return SUCCESS;
}
int nvmlDeviceGetComputeInstanceId(card_t *card, unsigned *id) { PLAY(card->index); *id = 0; return SUCCESS; }
int nvmlDeviceGetCurrentClocksEventReasons(card_t *card, unsigned long long *reasons) {
  PLAY(card->index); *reasons = number("clocks", card->index, 1); return SUCCESS;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(card_t *card, unsigned long long *reasons) {
  PLAY(card->index); *reasons = number("clocks", card->index, 1); return SUCCESS;
}
int nvmlDeviceGetTotalEccErrors(card_t *card, unsigned type, unsigned counter, unsigned long long *count) {
  PLAY(card->index);
  if (counter) return INVALID_ARGUMENT;
  *count = number(type ? "eccbad" : "ecc", card->index, 0);
  return SUCCESS;
}
int nvmlDeviceGetRemappedRows(card_t *card, unsigned *good, unsigned *bad, unsigned *pending, unsigned *failed) {
  PLAY(card->index);
  *good = 0; *bad = (unsigned)number("remapped", card->index, 0);
  *pending = (unsigned)number("pending", card->index, 0); *failed = (unsigned)number("failed", card->index, 0);
  return SUCCESS;
}

typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } process_t;
static int processes(card_t *card, const char *word, unsigned *count, process_t *found) {
  unsigned long long pids[64];
  unsigned there = listed(word, card->index, pids, 64), room = *count;
  *count = there;
  if (there > room) return INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < there; i++) {
    found[i].pid = (unsigned)pids[i]; found[i].used = (i ? ~0ULL : 60000ULL << 20);
    found[i].gpu_instance = number("mig", card->index, 0) ? 7 : NO_INSTANCE;
    found[i].compute_instance = number("mig", card->index, 0) ? 0 : NO_INSTANCE;
  }
  return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(card_t *card, unsigned *count, process_t *found) {
  PLAY(card->index); return processes(card, "process", count, found);
}
int nvmlDeviceGetMPSComputeRunningProcesses_v3(card_t *card, unsigned *count, process_t *found) {
  PLAY(card->index); return processes(card, "mps", count, found);
}

typedef struct { card_t *device; unsigned long long type, data; unsigned gpu_instance, compute_instance; } event_t;
static int registered[64];
static int sets;
int nvmlEventSetCreate(int **set) {
  PLAY(-1); memset(registered, 0, sizeof registered); sets++; *set = &sets; return SUCCESS;
}
int nvmlEventSetFree(int *set) { (void)set; PLAY(-1); sets--; return SUCCESS; }
int nvmlDeviceGetSupportedEventTypes(card_t *card, unsigned long long *types) {
  PLAY(card->index); *types = 0x10F; return SUCCESS;
}
int nvmlDeviceRegisterEvents(card_t *card, unsigned long long types, int *set) {
  PLAY(card->index);
  (void)set;
  if (types & ~0x10FULL) return NOT_SUPPORTED;
  registered[card->index] = 1;
  return SUCCESS;
}
int nvmlEventSetWait_v2(int *set, event_t *event, unsigned timeout_ms) {
  static int served;
  FILE *file = script();
  char line[256];
  PLAY(-1);
  (void)set; (void)timeout_ms;
  while (file && fgets(line, sizeof line, file)) {
    int seq, index;
    unsigned long long type, data;
    if (sscanf(line, "event %d %d %llu %llu", &seq, &index, &type, &data) != 4 || seq <= served) continue;
    served = seq;
    if (!registered[index]) continue;
    fclose(file);
    event->device = &cards[index]; event->type = type; event->data = data;
    event->gpu_instance = number("mig", index, 0) ? 7 : NO_INSTANCE; event->compute_instance = NO_INSTANCE;
    return SUCCESS;
  }
  if (file) fclose(file);
  return TIMEOUT;
}

typedef struct { int index; unsigned gpu_instance; int serial; } sample_t;
typedef struct { unsigned version, supported; } support_t;
typedef struct { unsigned id; int result; double value; const char *texts[3]; } metric_t;
typedef struct { unsigned version, count; sample_t *before, *after; metric_t metrics[1]; } metrics_t;
static int samples;
int nvmlGpmQueryDeviceSupport(card_t *card, support_t *support) {
  PLAY(card->index);
  support->supported = number("gpm", card->index, 1000) < 1000;
  return SUCCESS;
}
int nvmlGpmSampleAlloc(sample_t **sample) { PLAY(-1); *sample = calloc(1, sizeof **sample); return SUCCESS; }
int nvmlGpmSampleFree(sample_t *sample) { free(sample); PLAY(-1); return SUCCESS; }
int nvmlGpmSampleGet(card_t *card, sample_t *sample) {
  PLAY(card->index);
  if (number("mig", card->index, 0)) return NOT_SUPPORTED;
  sample->index = card->index; sample->gpu_instance = NO_INSTANCE; sample->serial = ++samples;
  return SUCCESS;
}
int nvmlGpmMigSampleGet(card_t *card, unsigned gpu_instance_id, sample_t *sample) {
  PLAY(card->index);
  sample->index = card->index; sample->gpu_instance = gpu_instance_id; sample->serial = ++samples;
  return SUCCESS;
}
int nvmlGpmMetricsGet(metrics_t *asked) {
  PLAY(asked->after->index);
  if (asked->version != 1 || asked->before->serial >= asked->after->serial) return INVALID_ARGUMENT;
  for (unsigned i = 0; i < asked->count; i++) {
    double busy = (double)number("gpm", asked->after->index, 0);
    if (asked->after->gpu_instance != NO_INSTANCE) busy = asked->after->gpu_instance * 10.0;
    asked->metrics[i].result = asked->metrics[i].id == 5 ? NOT_SUPPORTED : SUCCESS;
    asked->metrics[i].value = asked->metrics[i].id == 2 ? busy / 2 : busy;
  }
  return SUCCESS;
}
