/* A libnvidia-ml.so.1 that plays the machine its script describes.
 *
 * The script is the file named by FORECOURT_STUB_NVML, read anew at every call, one instruction a line:
 *   gpus N                 N cards (default 8)
 *   mig INDEX              that card is in MIG mode, with instances 1g.10gb and 3g.40gb in places 0 and 2
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
#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6

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
  if (card->mig < 0) snprintf(text, length, "GPU-00000000-0000-0000-0000-%012d", card->index);
  else snprintf(text, length, "MIG-00000000-0000-0000-%04d-%012d", card->mig, card->index);
  return SUCCESS;
}
int nvmlDeviceGetSerial(card_t *card, char *text, unsigned length) {
  PLAY(card->index); snprintf(text, length, "16519230%05d", card->index); return SUCCESS;
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
  memory->total = 81559ULL << 20; memory->reserved = 500ULL << 20; memory->used = 70000ULL << 20;
  memory->free = memory->total - memory->reserved - memory->used;
  return SUCCESS;
}
int nvmlDeviceGetMigMode(card_t *card, unsigned *current, unsigned *pending) {
  PLAY(card->index); *current = *pending = (unsigned)number("mig", card->index, 0); return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(card_t *card, unsigned *count) { PLAY(card->index); *count = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(card_t *card, unsigned place, card_t **instance) {
  PLAY(card->index);
  if (place != 0 && place != 2) return NOT_FOUND;
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
